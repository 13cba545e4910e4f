// title: NETLINK_ROUTE, not to the kernel but to another program
// row: AF_VSOCK, TIPC, RDS, SMC, ...
// caps: net_admin
// helper: relay
// documented: who holds net_admin, which exec drops, may send netlink messages to another program, and none passes a
// documented: hook; closed where BPF LSM judges who gets them
#include "netlink.h"

int main(void)
{
	netlink_send(NETLINK_ROUTE, 0);
	return WENT_OUT;
}
