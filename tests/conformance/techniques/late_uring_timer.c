// title: Send that was handed to an io_uring before the tag, and happens after it
// row: sockets opened before the tag
// tag: late
#include "ring.h"

int main(void)
{
	struct ring ring = ring_made(0);
	int fd = connected(SOCK_DGRAM, "TARGET4"), pipes[2];
	static char text[256];
	must(pipe(pipes), "pipe");
	struct io_uring_sqe *read = ring_entry(&ring, IORING_OP_READ, pipes[0]);
	read->addr = (uintptr_t)text;
	read->len = strlen(mark());
	read->flags = IOSQE_IO_LINK;
	struct io_uring_sqe *sent = ring_send(&ring, fd);
	sent->addr = (uintptr_t)text;
	ring_enter(&ring, ring_publish(&ring), 0);
	wait_for_tag();
	must(write(pipes[1], mark(), strlen(mark())), "write to a pipe");
	ring_enter(&ring, 0, 2);
	ring_check(&ring, 2);
	return WENT_OUT;
}
