// title: TUN device that an untagged helper passes
// row: TUN device
// caps: net_admin
// helper: passer
// tag: late
#include "tun.h"

int main(void)
{
	int fd = passed_after_tag("tun");
	struct frame packet = tun_packet();
	must(write(fd, packet.bytes, packet.size), "write");
	usleep(100000);
	return WENT_OUT;
}
