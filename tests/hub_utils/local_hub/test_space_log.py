from hub_utils.local_hub import space_log
from hub_utils.local_hub.space_log import MASK, SpaceLog


def texts(log, number=0):
    return [line.text for line in log.after(number)[0]]


def test_a_reader_gets_what_came_since_it_read_last():
    log = SpaceLog()
    log.say("one\n")
    log.say("two")
    lines, seen = log.after(0)
    assert [line.text for line in lines] == ["one\n", "two\n"]
    assert log.after(seen) == ([], 2)
    log.say("three\r\n")
    assert texts(log, seen) == ["three\n"]
    assert log.tail(2) == ["two", "three"]


def test_old_lines_make_room_and_a_slow_reader_goes_on_with_what_is_left(monkeypatch):
    monkeypatch.setattr(space_log, "MAX_LINES", 3)
    log = SpaceLog()
    for number in range(5):
        log.say(str(number))
    assert texts(log, 1) == ["2\n", "3\n", "4\n"]
    assert texts(log, 4) == ["4\n"]


def test_secrets_are_masked_also_those_of_several_lines_and_inside_one_another():
    log = SpaceLog(["hf_abcdef", "hf_abcdef_long", "-----KEY\nline of it\n", "ab"])
    log.say("token=hf_abcdef_long, or hf_abcdef; ab is no secret worth hiding")
    log.say("  line of it")
    assert log.tail(2) == [
        f"token={MASK}, or {MASK}; ab is no secret worth hiding",
        f"  {MASK}",
    ]
