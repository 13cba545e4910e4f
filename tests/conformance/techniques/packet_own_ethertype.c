// title: AF_PACKET frame of a protocol that nobody knows
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

int main(void)
{
	struct frame frame = ethernet(0x88b5); /* for local experiments: IEEE 802 */
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	memcpy(frame.bytes + frame.size, mark(), strlen(mark()));
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(send(fd, frame.bytes, frame.size + strlen(mark()), 0), "send");
	return WENT_OUT;
}
