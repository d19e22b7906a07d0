"""What is said of an error that a library raised."""

import pytest

from optimizer.errors import reason_of


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ValueError"),
        ("\n  Too large.  \n at line 3", "Too large"),
        ("x" * 500, "x" * 200),
        (
            "Exception encountered when calling Functional.call().\n\n"
            "\x1b[1mInput 0 is incompatible.\x1b[0m\n\nArguments received:\n  • training=False",
            "Input 0 is incompatible",
        ),
        (
            "<class 'Functional'> could not be deserialized properly.\n\nconfig={}\n\n"
            "Exception encountered: <class 'Dense'> could not be deserialized.\n\n"
            "Exception encountered: The units are 0.",
            "The units are 0",
        ),
        (
            "No model.\n\nException encountered: Exception encountered when calling Add.call().\n\n"
            "Shapes differ.\n\nArguments received by Add.call()",
            "Shapes differ",
        ),
    ],
)
def test_the_line_that_says_what_is_wrong(text, reason):
    assert reason_of(ValueError(text)) == reason
