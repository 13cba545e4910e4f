// title: raw socket that was open before the tag
// row: sockets opened before the tag
// caps: net_raw
// tag: late
// variants: header_included protocol
#include "packets.h"

enum { FOR_EXPERIMENTS = 253 }; /* RFC 3692 */

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	unsigned char packet[1500];
	int fd = must(socket(AF_INET, SOCK_RAW, is("protocol") ? FOR_EXPERIMENTS : IPPROTO_RAW), "socket");
	wait_for_tag();
	size_t size = is("protocol") ? strlen(mark()) : udp_packet(packet, own_address(), to);
	const void *data = is("protocol") ? (const void *)mark() : packet;
	to.sin_port = 0;
	must(sendto(fd, data, size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
