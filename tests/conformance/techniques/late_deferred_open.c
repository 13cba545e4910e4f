// title: TCP Fast Open: connect before the tag sends nothing, the first write after it does
// row: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT
// tag: late
#include "technique.h"

int main(void)
{
	int on = 1, fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	write_file("/proc/sys/net/ipv4/tcp_fastopen", "5"); /* without a cookie */
	must(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)), "TCP_FASTOPEN_CONNECT");
	connect4(fd, "TARGET4");
	wait_for_tag();
	must(write(fd, mark(), strlen(mark())), "write");
	usleep(100000);
	return WENT_OUT;
}
