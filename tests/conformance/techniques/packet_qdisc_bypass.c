// title: AF_PACKET socket that goes around the queueing discipline, and so around tc
// row: + PACKET_QDISC_BYPASS
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int on = 1, fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	must(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)), "PACKET_QDISC_BYPASS");
	must(bind(fd, (struct sockaddr *)&to, sizeof(to)), "bind");
	must(write(fd, frame.bytes, frame.size), "write");
	return WENT_OUT;
}
