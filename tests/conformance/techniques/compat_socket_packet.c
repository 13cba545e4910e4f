// title: socket(AF_PACKET) by a 32-bit system call
// row: 32-bit system calls
// caps: net_raw
#include "packets.h"
#include "compat.h"
#include <linux/if_packet.h>

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd = must(compat(COMPAT_SOCKET, AF_PACKET, SOCK_RAW, 0, 0, 0), "socket(AF_PACKET)");
	must(sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
