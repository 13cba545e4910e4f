// title: TUN device that an untagged helper passes
// row: TUN device
// caps: net_admin
// helper: passer
// tag: late
// documented: what is written to a TUN descriptor that an untagged helper hands over is a packet that
// documented: the host receives, and no hook knows who wrote it; closed where BPF LSM judges passed files
#include "tun.h"

int main(void)
{
	int fd = passed_after_tag("tun");
	struct frame packet = tun_packet();
	must(write(fd, packet.bytes, packet.size), "write");
	usleep(100000);
	return WENT_OUT;
}
