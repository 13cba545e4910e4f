// title: network namespace in which the approved address is another host
// row: own or other network namespace
// caps: sys_admin
// helper: namespaces
// variants: entered own
#include "technique.h"
#include <sched.h>

/* The helper connects this process's new namespace to the world, as a container manager would. */
static void make_own(void)
{
	char path[300];
	must(unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare");
	snprintf(path, sizeof(path), "%s.wanted", env("HELPER"));
	int fd = must(open(path, O_CREAT | O_WRONLY, 0600), path);
	must(dprintf(fd, "%d\n", getpid()), path);
	for (int i = 0; i < 200 && access(helper_file("made"), F_OK); i++)
		usleep(10000);
}

static void enter(void)
{
	char path[64];
	int pid;
	FILE *facts = fopen(helper_file("facts"), "r");
	must(facts && fscanf(facts, "%d", &pid) == 1 ? 0 : -1, "the helper's facts");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	must(setns(must(open(path, O_RDONLY), path), CLONE_NEWNET), "setns");
}

int main(void)
{
	if (is("own"))
		make_own();
	else
		enter();
	sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "APPROVED4");
	usleep(200000);
	return WENT_OUT;
}
