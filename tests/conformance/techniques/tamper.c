// title: attack on the agent, then a datagram
// row: detaching programs, editing maps, unpinning, killing the agent
// spoils: yes
// variants: kill stop unpin kill_and_unpin
#include "tamper.h"

static void unpin(const char *path)
{
	unlink(path);
}

int main(void)
{
	if (strstr(env("VARIANT"), "unpin"))
		each_pin(unpin);
	if (strstr(env("VARIANT"), "kill"))
		signal_agent(SIGKILL);
	if (is("stop"))
		signal_agent(SIGSTOP);
	usleep(300000);
	send_mark(connected(SOCK_DGRAM, "TARGET4"));
	return WENT_OUT;
}
