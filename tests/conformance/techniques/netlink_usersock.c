// title: NETLINK_USERSOCK to another program
// row: AF_VSOCK, TIPC, RDS, SMC, ...
// helper: relay
#include "netlink.h"

int main(void)
{
	netlink_send(NETLINK_USERSOCK, 0);
	return WENT_OUT;
}
