"""Disks and machines: a store is made on no network file system, and two machines do not write one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dilemmas import disks
from dilemmas.errors import StoreError

MOUNTED = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,noatime shared:1 - ext4 /dev/vda rw
40 27 0:50 / /home rw,nosuid shared:5 - nfs4 nas.example:/home rw,vers=4.2,addr=192.0.2.1
41 40 8:1 / /home/me/scratch rw - xfs /dev/sdb1 rw
42 27 0:51 / /mnt/my\040share rw - cifs //nas/share rw
43 27 0:52 / /mnt/c rw,noatime - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\;uid=1000,trans=fd,rfd=8,wfd=8
44 27 0:53 / /vm rw - 9p host rw,trans=virtio
45 27 0:54 / /far rw - 9p host rw,trans=tcp
46 27 0:55 / /mnt/ssh rw - fuse.sshfs me@gpu: rw
47 27 0:56 / /mnt/usb rw - fuseblk /dev/sdc1 rw
48 27 0:57 / /mnt/merged rw - fuse.mergerfs a:b rw
49 27 0:58 / /twice rw - nfs nas:/x rw
50 49 8:2 / /twice rw - ext4 /dev/sdd rw
51 27 0:59 / /lustre rw - lustre 192.0.2.2@tcp:/fs rw
not a line of it
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", None),
        ("/work/runs", None),
        ("/home", "nfs4"),
        ("/home/me/runs/not/there/yet", "nfs4"),
        ("/homework", None),
        ("/home/me/scratch/runs", None),
        ("/mnt/my share/runs", "cifs"),
        ("/mnt/c/Users", "9p: a Windows drive in WSL"),
        ("/vm/runs", None),
        ("/far/runs", "9p"),
        ("/mnt/ssh/runs", "fuse.sshfs"),
        ("/mnt/usb/runs", None),
        ("/mnt/merged/runs", None),
        ("/twice/runs", None),
        ("/lustre/runs", "lustre"),
    ],
)
def test_the_deepest_and_last_mount_decides_whether_a_path_is_on_a_network(path: str, kind: str | None) -> None:
    assert disks.network_kind(Path(path), MOUNTED) == kind


def test_nothing_is_known_of_a_system_without_a_table_of_mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disks.network_kind(Path("/data"), "") is None
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "none")
    disks.refuse_network(tmp_path)


def test_a_network_drive_is_refused_with_its_type_also_behind_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path.resolve() / "nas"
    there.mkdir()
    (tmp_path / "link").symlink_to(there)
    (tmp_path / "mounts").write_text(f"27 1 254:0 / / rw - ext4 /dev/vda rw\n40 27 0:50 / {there} rw - nfs4 nas:/ rw\n")
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mounts")
    disks.refuse_network(tmp_path / "runs")
    for place in (there / "runs" / "mine", tmp_path / "link" / "runs"):
        with pytest.raises(StoreError) as caught:
            disks.refuse_network(place)
        assert caught.value.exit_code == 2
        assert "nfs4" in caught.value.what
        assert caught.value.where == str(place)
        assert "--runs-dir" in caught.value.fix


def test_a_mark_tells_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks.platform, "node", lambda: "gpu-17.example")
    disks.this_machine.cache_clear()
    try:
        assert "gpu" not in disks.this_machine()
        assert [len(part) for part in disks.this_machine().split("-")] == [8, 8]
    finally:
        disks.this_machine.cache_clear()


def test_a_restart_and_a_container_are_this_machine_and_another_is_not() -> None:
    host, start = disks.this_machine().split("-")
    assert disks.is_this_machine(f"{host}-{start}")
    assert disks.is_this_machine(f"{host}-00000000")
    assert disks.is_this_machine(f"00000000-{start}")
    assert not disks.is_this_machine("00000000-00000000")
    assert not disks.is_this_machine(f"{start}-{host}")
    assert not disks.is_this_machine("")


def test_machines_that_do_not_name_their_start_are_still_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = set()
    monkeypatch.setattr(disks, "_start", lambda: "")
    for name in ("one", "two"):
        monkeypatch.setattr(disks.platform, "node", lambda name=name: name)
        disks.this_machine.cache_clear()
        marks.add(disks.this_machine())
    disks.this_machine.cache_clear()
    assert len({part for mark in marks for part in mark.split("-")}) == len(marks)


def test_a_run_that_another_machine_is_asking_is_refused(tmp_path: Path) -> None:
    mine, new, gone, theirs = (tmp_path / f".asking-{name}" for name in ("mine", "new", "gone", "theirs"))
    mine.write_text(f"{disks.this_machine()} 4711\n")
    new.touch()
    disks.refuse_other_machine([mine, new, gone])
    theirs.write_text("0123abcd-4567cdef 12\n")
    with pytest.raises(StoreError) as caught:
        disks.refuse_other_machine([mine, theirs])
    assert caught.value.exit_code == 2
    assert "another machine" in caught.value.what
    assert ".asking-theirs" in caught.value.fix
