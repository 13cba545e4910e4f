/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to another program over netlink, which is not only for the kernel. */
#ifndef NETLINK_H
#define NETLINK_H

#include "technique.h"
#include <linux/netlink.h>

/* By `fd`, to the helper's socket of `protocol`, or to all who listen to `group`. */
SHARED void netlink_send_by(int fd, int protocol, int group)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = group};
	struct nlmsghdr header = {.nlmsg_len = NLMSG_LENGTH(strlen(mark())), .nlmsg_type = NLMSG_MIN_TYPE};
	struct iovec parts[] = {{&header, sizeof(header)}, {(char *)mark(), strlen(mark())}};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};
	char suffix[16];
	snprintf(suffix, sizeof(suffix), "portid%d", protocol);
	if (!group) {
		FILE *facts = fopen(helper_file(suffix), "r");
		must(facts && fscanf(facts, "%u", &to.nl_pid) == 1 ? 0 : -1, "the helper's number");
	}
	must(sendmsg(fd, &message, 0), "sendmsg");
	usleep(200000);
}

SHARED void netlink_send(int protocol, int group)
{
	netlink_send_by(must(socket(AF_NETLINK, SOCK_RAW, protocol), "socket(AF_NETLINK)"), protocol, group);
}

#endif
