// title: connected TCP socket that an untagged helper passes
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
// variants: send write writev sendmsg sendmmsg sendfile splice aio zerocopy urgent uring_send uring_write
// variants: vmsplice pwritev2 duplicate
#include "calls.h"

/* By another open file of the same socket: /proc refuses to open one, a duplicate does it. */
static void by_duplicate(int fd)
{
	must(write(must(fcntl(fd, F_DUPFD_CLOEXEC, 100), "duplicate"), mark(), strlen(mark())), "write");
	usleep(100000);
}

int main(void)
{
	int fd = passed_after_tag("tcp");
	if (is("duplicate"))
		by_duplicate(fd);
	else
		send_by_variant(fd);
	return WENT_OUT;
}
