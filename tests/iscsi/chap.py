#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-2-Clause
# builds: asan tsan
"""CHAP (RFC 7143 12.1.3), one way and mutual: who knows his secret comes in, and nobody else by any means."""
import itertools
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import iscsi_raw as raw  # noqa: E402
from adapter import Adapter, find_program, must, need, run, sparse  # noqa: E402

USER, SECRET = "iqn.2001-04.com.example:raw", "a secret of 22 bytes.."
OTHER, OTHER_SECRET = "somebody else", "quite_another_secret"
MUTUAL, MUTUAL_SECRET = "the target", "and one of its own"
ANYBODY = "iqn.2001-04.com.example:anybody"  # who is no CHAP name
NOT_PROVEN, NOT_AUTHORIZED, INITIATOR_ERROR = 0x0201, 0x0202, 0x0200


def secrets_file(scratch, text, mode=0o600, name="secrets"):
    path = os.path.join(scratch, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


# The file has to be there before the daemon: a place of its own.
cases = raw.adapter.Cases()
chap_file = secrets_file(cases.scratch, "# who may come\n\n%s:%s\n%s:%s\nmutual %s:%s\n" % (
    USER, SECRET, OTHER, OTHER_SECRET, MUTUAL, MUTUAL_SECRET))
target = raw.Target(cases.scratch, ["--chap-file", chap_file])
target.credentials = (USER, SECRET)


def refused(connection, answer, status=NOT_PROVEN):
    """The same answer for whatever was wrong: no reason, no text, the end."""
    assert answer.login_status == status, "status %04x, not %04x" % (answer.login_status, status)
    assert not answer.data and not answer.flags & 0x80, answer
    connection.expect_closed()


def counted(event):
    found = re.search(event + r"\D+(\d+)", target.daemon.lungfish("status").stdout)
    return int(found.group(1)) if found else 0


def one_way():
    for (user, secret), (algorithm, size), form in itertools.product(
            ((USER, SECRET), (OTHER, OTHER_SECRET)), (("5", 16), ("7", 32)), ("hex", "base64")):
        who = USER if user == USER else ANYBODY
        # A port for each of them: the session before may not have ended yet.
        with target.connect(initiator=who, isid=b"\x80\0\0\0\0" + bytes([5 + (user == OTHER)])) as connection:
            connection.chap(user, secret, algorithm, form)
            assert connection.answers["CHAP_A"] == algorithm
            assert len(connection.answers["CHAP_C"]) == 2 + 2 * size, connection.answers
            assert "CHAP_N" not in connection.answers, connection.answers
            connection.login_request([], 0x87)
            assert connection.login_answer().flags == 0x87
            connection.ready().ping()


def mutual():
    for algorithm, form in itertools.product(("5", "7"), ("hex", "base64")):
        with target.connect() as connection:
            name, response = connection.chap_mutual(USER, SECRET, algorithm, form)
            assert name == MUTUAL and connection.answers["CHAP_R"] == response(MUTUAL_SECRET), connection.answers
            assert connection.answers["CHAP_R"] != response(SECRET)
            connection.login_request([], 0x87)
            assert connection.login_answer().flags == 0x87
            connection.ready().ping()


def nobody_takes_anothers_session():
    """A session is reinstated (6.3.4, 6.3.5) by the user whose it is; another's login under its name is refused."""
    port = {"isid": b"\x80\0\0\0\0\4", "initiator": ANYBODY}
    with target.connect(**port).login(chap=(USER, SECRET)) as own:
        own.ready()
        for tsih in (0, own.tsih):
            with target.connect(**port) as other:
                other.tsih = tsih
                other.chap(OTHER, OTHER_SECRET)
                other.login_request([], 0x87)
                refused(other, other.login_answer(), NOT_AUTHORIZED)
            own.ping()
        for tsih in (own.tsih, 0):
            with target.connect(**port) as again:
                again.tsih = tsih
                again.login(chap=(USER, SECRET)).ready().ping()


def nobody_comes_as_another():
    """Whose own name is among the CHAP names comes by that one alone, however the name is written."""
    for name in (USER, USER.upper()):
        for discovery_too in (target.iqn, None):
            with raw.Connection(target.portal, discovery_too, name, b"\x80\0\0\0\0\x0b") as other:
                asked = other.chap_begin()
                refused(other, other.chap_finish(asked, OTHER, OTHER_SECRET), NOT_AUTHORIZED)
    with target.connect(isid=b"\x80\0\0\0\0\x0b").login(chap=(USER, SECRET)) as own:
        own.ready().ping()


def straight_to_full_feature():
    """From the security stage, with the proof and the operational keys in one request."""
    with target.connect() as connection:
        asked = connection.chap_begin()
        connection.login_request([("CHAP_N", USER), ("CHAP_R", raw.binary_text(
            raw.chap_response(asked[0], asked[1], SECRET, asked[2])))], 0x83)
        assert connection.login_answer().flags == 0x83
        connection.ready().ping()


def initiators_order_of_algorithms():
    for offer, answer in (("5,7", "5"), ("7,5", "7"), ("6,5", "5"), ("8,6,7", "7")):
        with target.connect() as connection:
            assert connection.chap_begin(offer)[0] == answer
    for offer in ("6", "", "55", "None"):
        with target.connect() as connection:
            connection.security(connection.identity() + [("AuthMethod", "CHAP")])
            refused(connection, connection.security([("CHAP_A", offer)]))


def discovery():
    with raw.Connection(target.portal).login(chap=(USER, SECRET)) as connection:
        connection.text([("SendTargets", "All")])
        assert ("TargetName", target.iqn) in raw.pairs(connection.expect(raw.TEXT_RESPONSE).data)
    with raw.Connection(target.portal) as connection:
        connection.login_request(connection.identity(), 0x87)
        refused(connection, connection.login_answer())


def no_way_around():
    """Without the security stage, without a method, past its end, or in another stage: refused."""
    for items, flags in (([], 0x87), ([], 0x04), ([("AuthMethod", "CHAP")], 0x87), ([("AuthMethod", "None")], 0x81),
                         ([("AuthMethod", "SRP,None")], 0x81), ([], 0x81), ([], 0x83)):
        with target.connect() as connection:
            connection.login_request(connection.identity() + items, flags)
            refused(connection, connection.login_answer())
    # Whoever wants to leave in the middle is held.
    with target.connect() as connection:
        assert connection.security(connection.identity() + [("AuthMethod", "CHAP")], 0x83).flags == 0
        assert connection.security([], 0x83).flags == 0
        assert connection.security([("CHAP_A", "5")], 0x83).flags == 0
        refused(connection, connection.security([], 0x83))
    # The stage does not change by claiming so.
    with target.connect() as connection:
        connection.chap_begin()
        connection.login_request([], 0x87)
        refused(connection, connection.login_answer(), INITIATOR_ERROR)


def wrong_secrets():
    """A wrong secret, a stranger, and a name with another's secret get the same answer, byte for byte."""
    answers = set()
    for user, secret in ((USER, SECRET + "x"), (USER, OTHER_SECRET), ("nobody", SECRET), ("", SECRET),
                         (MUTUAL, MUTUAL_SECRET), (USER.upper(), SECRET), (USER[:-1], SECRET), (USER, "")):
        with target.connect() as connection:
            answer = connection.chap_finish(connection.chap_begin(), user, secret)
            refused(connection, answer)
            answers.add(answer.header[:24] + answer.header[36:])
    assert len(answers) == 1, answers


def out_of_order():
    proof = [("CHAP_N", USER), ("CHAP_R", "0x" + "00" * 32)]
    for items in ([("CHAP_N", USER)], proof, [("CHAP_A", "7")] + proof, [("CHAP_A", "7"), ("CHAP_I", "1")],
                  [("CHAP_A", "7"), ("CHAP_C", "0x00")]):
        with target.connect() as connection:
            connection.security(connection.identity() + [("AuthMethod", "CHAP")])
            refused(connection, connection.security(items))
    for items in ([], proof[:1], proof[1:], [("CHAP_A", "7")], proof + [("CHAP_A", "7")], proof + [("CHAP_I", "1")],
                  proof + [("CHAP_C", "0x0102")]):
        with target.connect() as connection:
            connection.chap_begin()
            refused(connection, connection.security(items))
    # Before the method was named, after the end, and twice.
    with target.connect() as connection:
        refused(connection, connection.security(connection.identity() + [("CHAP_A", "7")]))
    with target.connect() as connection:
        pdu = connection.chap_finish(connection.chap_begin(), USER, SECRET)
        connection.login_request(proof, 0x87)
        answer = connection.login_answer()
        assert answer.login_status == 0 and connection.answers["CHAP_N"] == "Reject", (pdu, connection.answers)
    for twice in ([("CHAP_A", "7"), ("CHAP_A", "7")], [("AuthMethod", "CHAP"), ("AuthMethod", "CHAP")]):
        with target.connect() as connection:
            connection.security(connection.identity() + ([("AuthMethod", "CHAP")] if twice[0][0] == "CHAP_A" else []))
            refused(connection, connection.security(twice), INITIATOR_ERROR)


def malformed():
    """Values that are no binary, too short, too long, cut: never more than a refusal."""
    wrong = ["", "0", "0x", "0b", "0xabc", "0xgg", "00" * 32, "0x" + "00" * 31, "0x" + "00" * 33, "0x" + "00" * 1024,
             "0x" + "00" * 1025, "0x" + "0" * 4000, "0b====", "0bAAA", "0bA", "0b" + "A" * 1368, "0b" + "A" * 4000,
             "0b=AAA", "0b!!!!", "5", "-1", "Reject", "NotUnderstood", "0X", "0x 00", "\x7f"]
    for value in wrong:
        with target.connect() as connection:
            connection.chap_begin()
            refused(connection, connection.security([("CHAP_N", USER), ("CHAP_R", value)]))
    for identifier, challenge in [("1", value) for value in wrong if value not in (
            "0x" + "00" * 31, "0x" + "00" * 33, "0x" + "00" * 1024)] + [
            ("256", "0x0102"), ("", "0x0102"), ("-1", "0x0102"), ("0x100", "0x0102"), ("one", "0x0102")]:
        with target.connect() as connection:
            asked = connection.chap_begin()
            refused(connection, connection.chap_finish(asked, USER, SECRET, [
                ("CHAP_I", identifier), ("CHAP_C", challenge)]))
    for name in ("n" * 255, "n" * 4000, "\xe4", "a:b:c"):
        with target.connect() as connection:
            refused(connection, connection.chap_finish(connection.chap_begin(), name, SECRET))
    target.check_alive()


def longest_challenge():
    """A challenge of 1024 bytes is answered, in both forms; so is one of a single byte."""
    for challenge, form in itertools.product((os.urandom(1024), os.urandom(1)), ("hex", "base64")):
        with target.connect() as connection:
            _, response = connection.chap_mutual(USER, SECRET, form=form, challenge=challenge)
            assert connection.answers["CHAP_R"] == response(MUTUAL_SECRET)


def reflection():
    """Our own question given back, on the connection that it came by or on another one: refused (9.2.1)."""
    with target.connect() as connection:
        asked = connection.chap_begin()
        answer = connection.chap_finish(asked, USER, SECRET, [
            ("CHAP_I", str(asked[1])), ("CHAP_C", raw.binary_text(asked[2]))])
        refused(connection, answer)
    for form in ("hex", "base64"):
        with target.connect() as victim, target.connect(isid=b"\x80\0\0\0\0\2") as connection:
            asked = victim.chap_begin()
            answer = connection.chap_finish(connection.chap_begin(), USER, SECRET, [
                ("CHAP_I", str(asked[1])), ("CHAP_C", raw.binary_text(asked[2], form))])
            refused(connection, answer)
            # The one whose question was given away is not disturbed.
            assert victim.chap_finish(asked, USER, SECRET).flags == 0x81
    # Whoever does not know a secret gets no answer to any question.
    with target.connect() as connection:
        answer = connection.chap_finish(connection.chap_begin(), USER, "not the secret at all", [
            ("CHAP_I", "1"), ("CHAP_C", "0x" + "11" * 32)])
        refused(connection, answer)
        assert "CHAP_R" not in connection.answers


def reflected_answers():
    """An attacker who lets the target answer its own challenge: refused at each of the ways."""
    with target.connect() as helper:
        name, _ = helper.chap_mutual(USER, SECRET)
        for user in (name, USER):
            with target.connect(isid=b"\x80\0\0\0\0\3") as connection:
                connection.chap_begin()
                refused(connection, connection.security([("CHAP_N", user), ("CHAP_R", helper.answers["CHAP_R"])]))


def replay():
    """What was right once proves nothing later: no question comes twice."""
    with target.connect() as connection:
        asked = connection.chap_begin("5")
        response = raw.binary_text(raw.chap_response(asked[0], asked[1], SECRET, asked[2]))
        assert connection.security([("CHAP_N", USER), ("CHAP_R", response)], 0x81).flags == 0x81
    questions = {asked[1:]}
    for _ in range(40):
        with target.connect() as connection:
            questions.add(connection.chap_begin("5")[1:])
            refused(connection, connection.security([("CHAP_N", USER), ("CHAP_R", response)], 0x81))
    assert len(questions) == 41 and len({challenge for _, challenge in questions}) == 41


def no_mutual_secret():
    """Without a secret of its own the target proves nothing, and an initiator that insists stays out."""
    scratch = os.path.join(cases.scratch, "one-way")
    os.mkdir(scratch)
    path = secrets_file(scratch, "%s:%s" % (USER, SECRET))
    other = raw.Target(scratch, ["--chap-file", path])
    try:
        with other.connect() as connection:
            refused(connection, connection.chap_finish(connection.chap_begin(), USER, SECRET, [
                ("CHAP_I", "1"), ("CHAP_C", "0x" + "22" * 16)]))
        other.credentials = (USER, SECRET)
        other.check_alive()
        other.check_stop()
    finally:
        other.daemon.kill()


def not_without_secrets():
    """A node without secrets asks nobody, and says so; CHAP alone is nothing it can do."""
    scratch = os.path.join(cases.scratch, "open")
    os.mkdir(scratch)
    other = raw.Target(scratch)
    try:
        with other.connect() as connection:
            assert connection.security(connection.identity() + [("AuthMethod", "CHAP,None")], 0x81).flags == 0x81
            assert connection.answers["AuthMethod"] == "None"
        with other.connect() as connection:
            refused(connection, connection.security(connection.identity() + [("AuthMethod", "CHAP")], 0x81))
        other.check_stop()
    finally:
        other.daemon.kill()


def flood():
    """Hundreds that fail: counted one by one, others are served meanwhile."""
    before = counted("iscsi_not_authenticated")
    with target.session(isid=9) as witness:
        for i in range(300):
            with target.connect() as connection:
                connection.chap_finish(connection.chap_begin("5"), "nobody-%d" % i, "a wrong secret")
            if i % 50 == 0:
                witness.ping()
    assert counted("iscsi_not_authenticated") == before + 300


def start_fails(text, why, mode=0o600, name="wrong"):
    path = secrets_file(cases.scratch, text, mode, name) if text is not None else os.path.join(cases.scratch, "absent")
    answer = run([find_program("lungfishd"), "--iscsi", "127.0.0.1:0", "--socket",
                  os.path.join(cases.scratch, "wrong.sock"), "--chap-file", path])
    assert answer.returncode == 1 and why in answer.stdout and path in answer.stdout, answer.stdout
    assert "wrong secret" not in answer.stdout, "it told the secret: %s" % answer.stdout


def secrets_files():
    line = "name:the wrong secret\n"
    for mode in (0o640, 0o604, 0o620, 0o610, 0o644):
        start_fails(line, "chmod 600", mode)
    start_fails(None, "not found")
    start_fails("", "name an initiator")
    start_fails("# nobody\n\nmutual me:the wrong secret\n", "name an initiator")
    start_fails(line + "other:elevenbytes", "line 2: the secret is too short: 12")
    start_fails("mutual me:elevenbytes\n" + line, "line 1: the secret is too short")
    start_fails("name:" + "s" * 256, "too long")
    start_fails("n" * 256 + ":the wrong secret", "too long")
    start_fails("no colon in this line", "line 1: no NAME:SECRET")
    start_fails(":the wrong secret", "no NAME:SECRET")
    start_fails("name:the wrong secret\r\n", "control character")
    start_fails(line + "name:another wrong secret\n", "line 2: a name that was there before")
    start_fails(line + "mutual a:the first wrong secret\nmutual b:the second wrong secret\n", "second mutual")
    start_fails(line + "mutual me:the wrong secret\n", "also an initiator's")
    start_fails(b"name:the wrong secret\0and more\n", "control character")
    os.mkfifo(os.path.join(cases.scratch, "absent"), 0o600)
    start_fails(None, "no regular file")


def libiscsi():
    """An initiator that is not ours, with CHAP both ways, and with a header digest besides."""
    need("iscsi-ls", "iscsi-inq", "iscsi-readcapacity16")
    scratch = os.path.join(cases.scratch, "friends")
    os.mkdir(scratch)
    path = secrets_file(scratch, "friend:friends_secret\nmutual target:targets_secret\n")
    image = sparse(os.path.join(scratch, "disk.img"), 8 << 20)
    daemon = Adapter(scratch, ["--chap-file", path, image])
    try:
        def url(secret="friends_secret", end="", rest="/%s/0" % daemon.iqn):
            return "iscsi://friend%%%s@%s%s%s" % (secret, daemon.portal, rest, end)
        assert daemon.iqn in must(["iscsi-ls", url(rest="")])
        assert "LUNGFISH" in must(["iscsi-inq", url()])
        assert "LUNGFISH" in must(["iscsi-inq", url(end="?header_digest=crc32c")])
        must(["iscsi-readcapacity16", url(end="?target_user=target&target_password=targets_secret")])
        for wrong in (url("not_his_secret"), url().replace("friend%friends_secret@", ""),
                      url(end="?target_user=target&target_password=not_its_secret")):
            assert run(["iscsi-inq", wrong]).returncode != 0, wrong
        qemu_img(scratch, url)
        assert daemon.stop() == 0, daemon.log()
        assert "error" not in daemon.log() and "secret" not in daemon.log(), daemon.log()
    finally:
        daemon.kill()


def qemu_img(scratch, url):
    """A whole image in and out: qemu's driver takes the secret from the URL, or from a file, and asks for digests."""
    need("qemu-img")
    source, secret = os.path.join(scratch, "source.raw"), os.path.join(scratch, "password")
    with open(source, "wb") as file:
        file.write(raw.pattern(8 << 20))
    with open(secret, "w") as file:
        file.write("friends_secret")
    answer = run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, url()])
    if "Unknown protocol" in answer.stdout:
        raise raw.adapter.Skip("qemu-img has no iSCSI driver")
    assert answer.returncode == 0, answer.stdout
    portal, name = url().split("@")[1].split("/")[:2]
    options = ("driver=iscsi,transport=tcp,portal=%s,target=%s,lun=0,user=friend,password-secret=chap,"
               "header-digest=crc32c" % (portal, name))
    answer = must(["qemu-img", "compare", "--object", "secret,id=chap,file=" + secret, "--image-opts",
                   "driver=file,filename=" + source, options])
    assert "identical" in answer, answer


def not_our_error():
    """Whatever initiators did above: counted, and no line of the log is about it; no secret is anywhere in it."""
    assert counted("iscsi_login_refused") > 300
    log = target.daemon.log() + target.daemon.lungfish("status").stdout
    log = log.replace(target.daemon.directory, "")  # whose name is made by chance
    for word in ("error:", "warning", "CHAP", "0x", SECRET, OTHER_SECRET, MUTUAL_SECRET, "secret"):
        assert word not in log.replace("iscsi_not_authenticated", ""), (word, log)


for case in (one_way, mutual, nobody_takes_anothers_session, nobody_comes_as_another, straight_to_full_feature,
             initiators_order_of_algorithms, discovery, no_way_around, wrong_secrets, out_of_order, malformed, longest_challenge, reflection, reflected_answers, replay,
             no_mutual_secret, not_without_secrets, flood, secrets_files, libiscsi, not_our_error):
    cases.run("iscsi_chap_" + case.__name__, case)
cases.run("iscsi_chap_alive", target.check_alive)
target.finish(cases)
