// title: connected UDP socket
// row: sendfile, splice, vmsplice, MSG_ZEROCOPY, write, aio
// variants: send write writev pwritev2 sendmsg sendmmsg sendfile splice vmsplice zerocopy aio uring_send uring_write
#include "calls.h"

int main(void)
{
	send_by_variant(connected(SOCK_DGRAM, "TARGET4"));
	return WENT_OUT;
}
