// title: io_uring whose worker thread was there before the tag
// row: sockets opened before the tag
// tag: late
#include "ring.h"

int main(void)
{
	struct ring ring = ring_made(0);
	int fd = connected(SOCK_DGRAM, "TARGET4");
	ring_entry(&ring, IORING_OP_NOP, -1)->flags = IOSQE_ASYNC;
	ring_submit(&ring);
	wait_for_tag();
	ring_send(&ring, fd)->flags = IOSQE_ASYNC;
	ring_submit(&ring);
	return WENT_OUT;
}
