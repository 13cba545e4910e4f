// title: data that a passed socket holds back, and the kernel sends later, when its writer is gone
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
// variants: corked corked_udp corked_mptcp paced
#include "technique.h"

int main(void)
{
	int fd = passed_after_tag(env("VARIANT"));
	must(write(fd, mark(), strlen(mark())), "write");
	close(fd);
	sleep(1); /* the suite looks no longer than the technique lives */
	return WENT_OUT;
}
