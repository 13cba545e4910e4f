// title: frame written to a TAP device, and forwarded by the kernel
// row: TUN device
// caps: net_admin
#include "tun.h"

int main(void)
{
	struct ifreq device;
	int fd = tun_made(IFF_TAP, &device), plain = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	struct frame packet = tun_packet(), frame = {.size = sizeof(struct ethhdr) + packet.size};
	struct ethhdr *header = (struct ethhdr *)frame.bytes;
	must(ioctl(plain, SIOCGIFHWADDR, &device), "SIOCGIFHWADDR");
	memcpy(header->h_dest, device.ifr_hwaddr.sa_data, 6);
	memcpy(header->h_source, "\x02\0\0\0\0\x02", 6);
	header->h_proto = htons(ETH_P_IP);
	memcpy(header + 1, packet.bytes, packet.size);
	must(write(fd, frame.bytes, frame.size), "write");
	usleep(100000);
	return WENT_OUT;
}
