// title: TCP connection that was open before the tag
// row: sendfile, splice, vmsplice, MSG_ZEROCOPY, write, aio
// tag: late
// variants: write writev pwritev2 sendmsg sendmmsg sendfile splice vmsplice zerocopy aio urgent uring_send uring_write
#include "calls.h"

int main(void)
{
	int fd = connected(SOCK_STREAM, "TARGET4");
	wait_for_tag();
	send_by_variant(fd);
	return WENT_OUT;
}
