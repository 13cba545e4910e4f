// title: io_uring of the parent, which a child uses after the tag
// row: sockets opened before the tag
// tag: late
#include "ring.h"

int main(void)
{
	struct ring ring = ring_made(0);
	int fd = connected(SOCK_DGRAM, "TARGET4");
	wait_for_tag();
	int status = 0, child = must(fork(), "fork");
	if (!child) {
		ring_send(&ring, fd);
		ring_submit(&ring);
		_exit(WENT_OUT);
	}
	must(waitpid(child, &status, 0), "waitpid");
	errno = EPERM;
	must(status ? -1 : 0, "the child");
	return WENT_OUT;
}
