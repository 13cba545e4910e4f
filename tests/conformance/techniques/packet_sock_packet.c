// title: SOCK_PACKET, the old way, which AF_INET leads to as well
// row: AF_PACKET raw, dgram, TX_RING, SOCK_PACKET
// caps: net_raw
#include "packets.h"

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr to = {.sa_family = AF_INET};
	int fd = must(socket(AF_INET, SOCK_PACKET, htons(ETH_P_ALL)), "socket(AF_INET, SOCK_PACKET)");
	strncpy(to.sa_data, env("IFACE"), sizeof(to.sa_data) - 1);
	must(sendto(fd, frame.bytes, frame.size, 0, &to, sizeof(to)), "sendto");
	return WENT_OUT;
}
