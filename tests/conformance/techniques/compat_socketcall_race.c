// title: socketcall while another thread changes its arguments from AF_UNIX to AF_PACKET
// row: 32-bit system calls
// caps: net_raw
#include "packets.h"
#include "compat.h"
#include <linux/if_packet.h>
#include <pthread.h>

static volatile uint32_t *arguments;

static void *change(void *unused)
{
	for (;;)
		arguments[0] = arguments[0] == AF_UNIX ? AF_PACKET : AF_UNIX;
	return unused;
}

static int is_packet(int fd)
{
	int family = 0;
	socklen_t size = sizeof(family);
	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) && family == AF_PACKET;
}

int main(void)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	pthread_t thread;
	int fd = -1;
	arguments = low((uint32_t[6]){AF_UNIX, SOCK_RAW}, 24);
	pthread_create(&thread, NULL, change, NULL);
	for (int i = 0; i < 100000 && !is_packet(fd); i++) {
		close(fd);
		fd = compat(COMPAT_SOCKETCALL, CALL_SOCKET, (long)arguments, 0, 0, 0);
	}
	must(sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}
