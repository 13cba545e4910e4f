// title: MSG_MORE on a passed UDP socket, then another process's datagram completes it
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
#include "technique.h"

int main(void)
{
	int fd = passed_after_tag("udp");
	must(send(fd, mark(), strlen(mark()), MSG_MORE), "send");
	must(send(fd, "", 0, 0), "send the rest");
	return WENT_OUT;
}
