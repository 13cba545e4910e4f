// title: NETLINK_ROUTE, not to the kernel but to another program
// row: AF_VSOCK, TIPC, RDS, SMC, ...
// caps: net_admin
// helper: relay
#include "netlink.h"

int main(void)
{
	netlink_send(NETLINK_ROUTE, 0);
	return WENT_OUT;
}
