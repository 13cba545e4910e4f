// title: io_uring made by a 32-bit system call
// row: 32-bit system calls
#include "ring.h"
#include "compat.h"

int main(void)
{
	struct io_uring_params none = {0}, *params = low(&none, sizeof(none));
	int ring_fd = must(compat(COMPAT_IO_URING_SETUP, 8, (long)params, 0, 0, 0), "io_uring_setup");
	struct ring ring = ring_map(ring_fd, *params);
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
