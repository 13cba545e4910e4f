// title: connected TCP socket from a helper whose unix socket a tagged process connects to
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
#include "technique.h"

int main(void)
{
	send_mark(passed(helper_stream("pass"), "tcp"));
	usleep(100000);
	return WENT_OUT;
}
