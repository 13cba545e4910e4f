import pytest

from landfast_agent.cgroup_names import container_of, unit_of
from landfast_agent.users import Users

ID = "3f4b" * 16


@pytest.mark.parametrize(
    ("path", "unit", "container"),
    [
        ("/", "", ""),
        ("/system.slice/nginx.service", "nginx.service", ""),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/feed.service", "feed.service", ""),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", ""),
        (f"/system.slice/docker-{ID}.scope", f"docker-{ID}.scope", ID),
        (f"/docker/{ID}", "", ID),
        (f"/machine.slice/libpod-{ID}.scope/container", f"libpod-{ID}.scope", ID),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", f"cri-containerd-{ID}.scope", ID),
        (f"/kubepods/burstable/pod7a/{ID}", "", ID),
        (f"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}", "containerd.service", ID),
        (f"/outer-{'0' * 64}/inner-{ID}", "", ID),
        (f"/x/{ID}ff", "", ""),
        ("/landfast.slice/eea", "", ""),
        ("/system.slice/a.service.d/x", "", ""),
    ],
)
def test_units_and_containers(path, unit, container):
    assert (unit_of(path), container_of(path)) == (unit, container)


def test_users_are_read_again_when_the_file_changes(tmp_path):
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\nodd:x:²:1\nada:x:1000:1000::/:/bin/sh\n")
    users = Users(file)
    assert [users.name(uid) for uid in (0, 1000, 7)] == ["root", "ada", ""]
    file.write_text("grace:x:1000:1000::/:/bin/sh\n")
    assert [users.name(uid) for uid in (0, 1000)] == ["", "grace"]
    file.unlink()
    assert users.name(1000) == "grace"
