// title: packet written to a TUN device, and forwarded by the kernel
// row: TUN device
// caps: net_admin
#include "tun.h"

int main(void)
{
	struct ifreq device;
	int fd = tun_made(IFF_TUN, &device);
	struct frame packet = tun_packet();
	must(write(fd, packet.bytes, packet.size), "write");
	usleep(100000);
	return WENT_OUT;
}
