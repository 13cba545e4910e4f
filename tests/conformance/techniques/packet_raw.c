// title: AF_PACKET socket, a whole Ethernet frame
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX"), .sll_halen = 6};
	int fd = must(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), "socket(AF_PACKET)");
	must(sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
