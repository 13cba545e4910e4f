// title: passed socket that has no room for a tag
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
#include "full_option_memory.h"

int main(void)
{
	int fd = passed_after_tag("udp6");
	fill_option_memory(fd);
	send_mark(fd);
	return WENT_OUT;
}
