// title: TCP connection over a passed socket, opened by its first bytes
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
#include "technique.h"

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	int fd = passed_after_tag("fresh_tcp");
	write_file("/proc/sys/net/ipv4/tcp_fastopen", "5");
	must(sendto(fd, mark(), strlen(mark()), MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), "sendto");
	usleep(100000);
	return WENT_OUT;
}
