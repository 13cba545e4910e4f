// title: AF_PACKET by the x32 number of socket
// row: 32-bit system calls
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>

enum { X32 = 0x40000000 };

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd = must(syscall(X32 | SYS_socket, AF_PACKET, SOCK_RAW, 0), "socket by its x32 number");
	must(sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
