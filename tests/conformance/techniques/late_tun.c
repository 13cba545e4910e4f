// title: TUN device that was open before the tag
// row: TUN device
// caps: net_admin
// tag: late
#include "tun.h"

int main(void)
{
	struct ifreq device;
	int fd = tun_made(IFF_TUN, &device);
	wait_for_tag();
	struct frame packet = tun_packet();
	must(write(fd, packet.bytes, packet.size), "write");
	usleep(100000);
	return WENT_OUT;
}
