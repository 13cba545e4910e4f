// title: NETLINK_USERSOCK that was open before the tag
// row: sockets opened before the tag
// helper: relay
// tag: late
#include "netlink.h"

int main(void)
{
	int fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK), "socket(AF_NETLINK)");
	wait_for_tag();
	netlink_send_by(fd, NETLINK_USERSOCK, 0);
	return WENT_OUT;
}
