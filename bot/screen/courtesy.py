"""Greetings and thanks, told by their words alone: whatever else is said is taken for more than courtesy."""

import re

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SAID = frozenset(
    WORD.findall(
        """
        hello hi hey hiya howdy good morning afternoon evening night day thanks thank you very much many bye goodbye
        see later how are is it going there rackhand welcome back
        hallo moin servus guten morgen tag abend nacht danke dir ihnen vielen dank tschüss wie geht's gehts
        hola buenos buenas dias días tardes noches gracias adiós adios muchas
        bonjour bonsoir salut merci beaucoup ciao buongiorno buonasera grazie olá ola obrigado obrigada bom dia
        dag hoi je wel tot ziens
        """
    )
)
"""What people say to somebody whom they have not asked for anything. No yes, no please, no ok: those may answer a
question, and a courtesy after them would be a claim."""
ANSWERED = SAID | frozenset(
    WORD.findall(
        """
        i i'm i'll we me my your yours you're a an the and or to for at in on of with from about what what's which who
        can could may shall should would like want need know ask tell try look looks after help assist show check
        watch do today now here pleasure any time glad always nice meet homelab server servers
        services hosts logs status wrong
        ich bin dein deine kann was dich dir ihr helfen womit wobei für euch schauen
        en qué puedo ayudarte te ayudar je peux vous aider comment puis de rien nada prego posso aiutarti come
        """
    )
)
"""What an answer to that is made of: offers and questions. No word here tells of anything that has happened, or how
anything is."""
LETTERLESS = re.compile(r"[\s.,;:!?…“”\"'’()–—\-👋🙂😊]*")
LONGEST = 300


def only_courtesy(asked: str, answer: str) -> bool:
    """Whether a line and its answer are made of nothing but words of courtesy, so that nothing can be claimed."""
    return len(answer) <= LONGEST and _made_of(SAID, asked) and _made_of(ANSWERED, answer)


def _made_of(words: frozenset[str], text: str) -> bool:
    """Whether these words are all there is: a digit, a tick, or a letter of another script is something else."""
    found = [word.lower().replace("’", "'") for word in WORD.findall(text)]
    return bool(found) and words.issuperset(found) and LETTERLESS.fullmatch(WORD.sub("", text)) is not None
