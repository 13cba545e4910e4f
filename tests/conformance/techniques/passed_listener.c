// title: listener that an untagged helper passes: what it accepts answers a stranger
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
// dial: tcp
#include "technique.h"

int main(void)
{
	int fd = passed_after_tag("listener");
	send_mark(must(accept(fd, NULL, NULL), "accept"));
	usleep(100000);
	return WENT_OUT;
}
