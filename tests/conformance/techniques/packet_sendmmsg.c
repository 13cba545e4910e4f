// title: AF_PACKET frames by sendmmsg
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	struct iovec part = {frame.bytes, frame.size};
	struct msghdr header = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1};
	struct mmsghdr messages[] = {{.msg_hdr = header}, {.msg_hdr = header}};
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	must(sendmmsg(fd, messages, 2, 0), "sendmmsg");
	return WENT_OUT;
}
