// title: Socket that is in no table of descriptors, only registered with an io_uring before the tag
// row: sockets opened before the tag
// tag: late
#include "ring.h"

int main(void)
{
	struct ring ring = ring_made(0);
	int fd = connected(SOCK_DGRAM, "TARGET4");
	must(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &fd, 1), "register the socket");
	close(fd);
	wait_for_tag();
	ring_send(&ring, 0)->flags = IOSQE_FIXED_FILE;
	ring_submit(&ring);
	return WENT_OUT;
}
