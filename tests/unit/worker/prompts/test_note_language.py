"""The language of notes is guessed where it is clear, and never wrongly named where it is not."""

from dataclasses import dataclass
from itertools import pairwise

import pytest

from gather_worker.prompts import note_language
from gather_worker.prompts.note_language import language_of, language_request, named

# ruff: noqa: E501, RUF001 - one note a line, in every script

NOTES = {
    "en": "The sisters walk the causeway before the tide comes in. Marta carries the ledger of her father and Ilse does not know that the house has been sold to the engineer.",
    "de": "Die Schwestern gehen über den Damm, bevor die Flut kommt. Marta trägt das Kassenbuch ihres Vaters, und Ilse weiß nicht, dass das Haus an den Ingenieur verkauft ist.",
    "fr": "Les deux sœurs marchent sur la digue avant la marée. Marta porte le registre de son père et Ilse ne sait pas que la maison a été vendue à l'ingénieur.",
    "es": "Las hermanas caminan por la calzada antes de que suba la marea. Marta lleva el libro de cuentas de su padre y Ilse no sabe que la casa se ha vendido al ingeniero.",
    "pt": "As irmãs caminham pela estrada antes que a maré suba. Marta leva o livro de contas do seu pai e Ilse não sabe que a casa foi vendida ao engenheiro, mas ela não diz uma palavra.",
    "it": "Le sorelle camminano lungo la strada prima che salga la marea. Marta porta il registro del padre e Ilse non sa che la casa è stata venduta all'ingegnere.",
    "nl": "De zussen lopen over de dam voordat het vloed wordt. Marta draagt het kasboek van haar vader en Ilse weet niet dat het huis aan de ingenieur is verkocht.",
    "sv": "Systrarna går över vägbanken innan tidvattnet kommer. Marta bär sin fars räkenskapsbok och Ilse vet inte att huset har sålts till ingenjören.",
    "da": "Søstrene går over dæmningen, før tidevandet kommer efter dem. Marta bærer sin fars bog af læder, og Ilse ved ikke, at huset er blevet solgt. Hun ser op, når de bliver kaldt.",
    "nb": "Søstrene går over demningen før tidevannet kommer. Marta bærer farens regnskapsbok, og Ilse vet ikke at huset er blitt solgt til ingeniøren av banken.",
    "fi": "Sisaret kävelevät penkereen yli ennen kuin vuorovesi nousee. Marta kantaa isänsä tilikirjaa, eikä Ilse tiedä, että talo on myyty insinöörille, joka oli hänen ystävänsä.",
    "pl": "Siostry idą groblą, zanim przyjdzie przypływ. Marta niesie księgę swojego ojca, a Ilse nie wie, że dom został sprzedany inżynierowi i że nie ma już powrotu.",
    "cs": "Sestry jdou po hrázi, než přijde příliv. Marta nese účetní knihu svého otce a Ilse neví, že dům je už prodán a že se nemohou vrátit, když bude tma. Také jsou samy, protože nebo není kam jít před nocí.",
    "sk": "Sestry idú po hrádzi, kým príde príliv. Marta nesie účtovnú knihu svojho otca a Ilse nevie, že dom je už predaný inžinierovi a že sa nemôžu vrátiť, keď bude tma.",
    "hu": "A nővérek átmennek a töltésen, mielőtt jön a dagály. Marta az apja főkönyvét viszi, és Ilse nem tudja, hogy a házat már eladták a mérnöknek.",
    "ro": "Surorile merg pe dig înainte de flux. Marta poartă registrul tatălui ei și Ilse nu știe că a fost vândută casa inginerului, care este în oraș.",
    "tr": "Kız kardeşler gelgit gelmeden önce sette yürür. Marta babasının defterini taşır ve Ilse evin bir mühendise satıldığını bilmez, bu onun için çok ağır olur ama susar.",
    "id": "Kedua saudari itu berjalan di tanggul sebelum air pasang. Marta membawa buku kas ayahnya dan Ilse tidak tahu bahwa rumah itu sudah dijual kepada insinyur dari kota.",
    "vi": "Hai chị em đi trên con đê trước khi thủy triều lên. Marta mang sổ sách của cha và Ilse không biết rằng ngôi nhà đã được bán cho kỹ sư.",
    "ru": "Сёстры идут по дамбе, пока не пришёл прилив. Марта несёт книгу отца, и Ильза не знает, что дом уже продан инженеру, а она ничего не сказала.",
    "uk": "Сестри йдуть по дамбі, поки не прийшов приплив. Марта несе книгу батька, і Ільза не знає, що будинок вже продано інженеру, але вона мовчить.",
    "bg": "Сестрите вървят по дигата, преди да дойде приливът. Марта носи книгата на баща си и Илзе не знае, че къщата е продадена на инженера.",
    "ar": "تمشي الأختان على الجسر قبل أن يأتي المد. تحمل مارتا دفتر والدها ولا تعرف إلسه أن البيت قد بيع إلى المهندس الذي كان في المدينة.",
    "fa": "خواهران پیش از آمدن مد بر روی سد راه می\u200cروند. مارتا دفتر پدرش را با خود دارد و ایلزه نمی\u200cداند که خانه به مهندس فروخته شده است.",
    "hi": "बहनें ज्वार आने से पहले बाँध पर चलती हैं। मार्ता अपने पिता की बही लेकर चलती है और इल्ज़े को नहीं पता कि घर इंजीनियर को बेच दिया गया है।",
    "ja": "姉妹は満ち潮の前に堤を歩く。マルタは父の帳簿を持ち、イルゼは家が技師に売られたことを知らない。",
    "zh": "姐妹俩在涨潮前走过堤道。玛尔塔带着父亲的账本，伊尔莎不知道房子已经卖给了工程师。",
    "ko": "자매는 밀물이 들어오기 전에 둑길을 걷는다. 마르타는 아버지의 장부를 들고 있고 일제는 집이 팔린 것을 모른다.",
    "el": "Οι αδελφές περπατούν στο ανάχωμα πριν έρθει η παλίρροια. Η Μάρτα κρατά το βιβλίο του πατέρα της.",
    "ta": "கேப்டன் புயலுக்கு முன் துறைமுகத்தை விட்டு வெளியேறுகிறார்.",
}


@dataclass(frozen=True)
class Note:
    """A note of a person, or of a run."""

    content: str
    is_automated: bool = False


@pytest.mark.parametrize("code", NOTES)
def test_a_notes_language_is_known(code: str) -> None:
    """By its script, or by its most frequent words."""
    assert language_of([NOTES[code]]) == code


@pytest.mark.parametrize("code", NOTES)
def test_a_part_of_a_note_is_in_no_other_language(code: str) -> None:
    """Too little text has none, or its own."""
    text = NOTES[code]
    found = {language_of([text[:end]]) for end in range(0, len(text), 5)}
    assert found <= {code, None}


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["Lamp."],
        ["Land Cruiser, camera truck, sound van, catering bus, grip truck, honeywagon, generator, shuttle"]
        * 3,
        ["1 2 3 4 5 6 7 8 9 10 🎬🔥 " * 20],
        [NOTES["de"], NOTES["en"], NOTES["fr"], NOTES["pl"], NOTES["tr"]],
    ],
    ids=["no notes", "a word", "names and nouns", "signs", "many languages"],
)
def test_what_is_not_clear_has_no_language(texts: list[str]) -> None:
    """The model then sees for itself."""
    assert language_of(texts) is None


def test_people_decide_before_what_runs_have_written() -> None:
    """Even if there is much more of the latter."""
    notes = [Note(NOTES["en"], is_automated=True)] * 50 + [Note(NOTES["de"])]
    assert language_request(None, notes) == ("detected_language", {"language_of_the_notes": "German (de)"})
    assert language_request(None, notes[:50])[1] == {"language_of_the_notes": "English (en)"}
    assert language_request("sv", notes) == ("language", {"language": "Swedish (sv)"})
    assert language_request(None, []) == ("notes_language", {})


def test_a_tag_is_told_with_its_name_where_that_is_known() -> None:
    """Small models do not know all codes; the region is the user's own affair."""
    assert [named(tag) for tag in ("de", "pt-BR", "ZH-Hant-TW", "tlh")] == [
        "German (de)",
        "Portuguese (pt-BR)",
        "Chinese (ZH-Hant-TW)",
        "tlh",
    ]


def test_notes_that_are_added_leave_the_others_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text costs time once, and of however many only so many are looked at."""
    looked = list[set[str]]()
    monkeypatch.setattr(note_language, "_language_of", lambda seen: looked.append(set(seen)))
    texts = [f"{number} is the number of this note." for number in range(700)]
    for count in range(1, len(texts) + 1):
        note_language.language_of(texts[:count])
    assert max(map(len, looked)) <= note_language.TEXTS_MAX
    assert len(looked[-1]) >= note_language.TEXTS_MAX / 2
    assert sum(not before <= after for before, after in pairwise(looked)) == 4, (
        "at 50, 100, 200 and 400 notes"
    )
