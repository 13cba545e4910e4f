// title: AF_PACKET frame with a VLAN tag around the packet
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

int main(void)
{
	struct frame frame = ethernet(ETH_P_8021Q);
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	memcpy(frame.bytes + frame.size, "\x00\x05\x08\x00", 4); /* VLAN 5, then IPv4 */
	frame.size += 4;
	frame.size += udp_packet(frame.bytes + frame.size, own_address(), to4("TARGET4"));
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(send(fd, frame.bytes, frame.size, 0), "send");
	return WENT_OUT;
}
