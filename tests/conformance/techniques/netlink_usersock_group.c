// title: NETLINK_USERSOCK to a group of programs
// row: AF_VSOCK, TIPC, RDS, SMC, ...
// helper: relay
#include "netlink.h"

int main(void)
{
	netlink_send(NETLINK_USERSOCK, 1);
	return WENT_OUT;
}
