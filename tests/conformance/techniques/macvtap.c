// title: device file of a macvtap on the wire: what is written there is a frame
// row: TUN device
// caps: net_admin
#include "packets.h"
#include <linux/virtio_net.h>

/* The file bears the index of the device, which is therefore no other technique's. */
static int device(void)
{
	char path[32];
	shell("ip link add link $IFACE index $PORT name way type macvtap mode bridge; ip link set way up");
	snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex("way"));
	for (int i = 0; i < patient(100) && access(path, R_OK | W_OK); i++)
		usleep(10000);
	return must(open(path, O_RDWR), path);
}

int main(void)
{
	struct frame frame = udp_frame();
	struct virtio_net_hdr header = {0};
	struct iovec parts[] = {{&header, sizeof(header)}, {frame.bytes, frame.size}};
	must(writev(device(), parts, 2), "writev");
	return WENT_OUT;
}
