// title: io_uring with SQPOLL and a connected socket, both made before the tag
// row: sockets opened before the tag
// tag: late
#include "ring.h"

int main(void)
{
	struct ring ring = ring_made(IORING_SETUP_SQPOLL);
	int fd = connected(SOCK_DGRAM, "TARGET4");
	wait_for_tag();
	ring_send(&ring, fd);
	ring_submit(&ring);
	return WENT_OUT;
}
