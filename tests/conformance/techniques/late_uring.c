// title: io_uring that was made before the tag, and a socket made after it
// row: sockets opened before the tag
// tag: late
#include "ring.h"

int main(void)
{
	struct ring ring = ring_made(0);
	wait_for_tag();
	struct sockaddr_in to = to4("TARGET4");
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_CONNECT, fd);
	entry->addr = (uintptr_t)&to;
	entry->off = sizeof(to);
	ring_submit(&ring);
	ring_send(&ring, fd);
	ring_submit(&ring);
	return WENT_OUT;
}
