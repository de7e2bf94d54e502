"""Secrets in what others print: known by name, place or look, hidden wherever they turn up again."""

import json
import threading

from tools.kit.masking import Seen, compose_file

ENV = [
    "DB_PASSWORD=correct horse",
    "DSN=redis://admin:hunter22@redis",
    "PEPPER=k9-Zq81tt",
    "TZ=Europe/Berlin",
    "N=12345678",
]


def test_secret_by_name_by_place_or_by_look() -> None:
    seen = Seen()
    seen.learn([*ENV, "MODE=container", "PATH=/usr/bin:/bin2", "EMPTY=", "NOTHING", "PIN=1234"])
    said = seen("correct horse, admin:hunter22, k9-Zq81tt, Europe/Berlin, 12345678, container, /usr/bin:/bin2, 1234")
    assert said == "•••, admin:•••, •••, Europe/Berlin, 12345678, container, /usr/bin:/bin2, 1234"


def test_values_are_found_inside_quoted_strings() -> None:
    seen = Seen()
    seen.learn(['API_TOKEN=a"b\\c\nd-and-more'])
    assert seen(json.dumps({"message": 'a"b\\c\nd-and-more'})) == '{"message": "•••"}'


def test_a_longer_value_goes_before_a_shorter_one_inside_it() -> None:
    seen = Seen()
    seen.learn(["A_SECRET=abcdef", "B_SECRET=xx-abcdef-yy"])
    assert seen("xx-abcdef-yy abcdef") == "••• •••"


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    seen = Seen(most=3)
    seen.learn([f"A_SECRET=value-number-{number}" for number in range(5)])
    seen.learn(["A_SECRET=value-number-2", "A_SECRET=value-number-9", "HUGE_SECRET=" + "x" * 10_000])
    assert len(seen) == 3
    assert seen("value-number-2 value-number-3 value-number-9") == "••• value-number-3 •••"


def test_many_threads_may_learn_at_once() -> None:
    seen = Seen(most=50)

    def work(thread: int) -> None:
        for number in range(200):
            seen.learn([f"A_SECRET=value-{thread}-{number}"])
            seen(f"value-{thread}-{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 50


def test_a_compose_file_is_told_without_what_its_environments_say() -> None:
    text = """services:
  a:
    environment:
    - A=one
    - B: two
      three
    ports: ["80:80"]
    labels:
      - shown=yes
  b:
    environment: {A: four,
      B: five}
    "environment" :
      A: |
        six
      B: |

        seven==
    command: run --password eight --key ninth-0123
"""
    told = compose_file(text, ["KEY=ninth-0123"])
    assert not [
        word for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "ninth"] if word in told
    ]
    assert all(word in told for word in ("- A=•••", "80:80", "shown=yes", "command: run"))
    assert told.count("\n") == text.count("\n") - 1, "no line is lost"
