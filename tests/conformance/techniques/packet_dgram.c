// title: AF_PACKET datagram socket, the kernel writes the Ethernet header
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

int main(void)
{
	unsigned char packet[1500];
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_halen = 6};
	size_t size = udp_packet(packet, own_address(), to4("TARGET4"));
	int fd = must(socket(AF_PACKET, SOCK_DGRAM, 0), "socket(AF_PACKET)");
	to.sll_ifindex = number("IFINDEX");
	mac("TARGET_MAC", to.sll_addr);
	must(sendto(fd, packet, size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
