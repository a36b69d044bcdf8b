"""The texts of the judge's pools, written for this project; :mod:`~paperlora.judge.pools` says what each is for.

They share nothing with what adapters are trained on: anchors and replayed prompts (tests/test_replay.py and
tests/test_damage.py hold that).
"""

from __future__ import annotations

from paperlora.judge.instructions import Instruction

OPEN = (
    "Suggest a name for a small bakery.",
    "What could I cook with rice and eggs?",
    "Name something to do on a rainy day.",
    "What makes a good friend?",
    "Describe the sea in one sentence.",
    "Give one tip for sleeping better.",
    "Why do people like music?",
    "What would you pack for a trip to the mountains?",
    "Write one sentence about autumn.",
    "How can a shy person meet others?",
    "What is a useful thing to learn?",
    "Name an animal and say why you like it.",
    "Give a name for a pet goldfish.",
    "What could be in an old suitcase?",
    "Invent a title for a song about summer.",
    "What can one do with an empty jar?",
    "Write one line for a birthday card.",
    "Where might someone hide a letter?",
    "What might a robot say when it wakes up?",
    "Suggest a topic for a school talk.",
)

TEXTS = (
    "The old lighthouse stood at the end of a narrow path. In winter the waves reached its lowest steps, and the keeper "
    "carried his lamp oil up in two small cans. Nobody in the village could remember a night on which the light had failed.",
    "To grow tomatoes on a balcony, choose a pot of at least ten litres and a place with six hours of sun. Water the soil "
    "in the morning, not the leaves, and tie the stem to a stick as soon as it begins to lean.",
    "A river carries more sand after heavy rain because the water moves faster and has more force. Where it slows down, in "
    "a bend or at the sea, the grains sink to the ground and build banks that change from year to year.",
    "The committee met on Tuesday to discuss the new library. Several members asked for longer opening hours, while others "
    "were worried about the cost. In the end they agreed to try it for six months and to count the visitors.",
    "When the orchestra had finished, nobody moved for a while. Then a child in the second row began to clap, the whole "
    "hall joined in, and the conductor turned round with a smile that made him look twenty years younger.",
    "Glass is made by heating sand with soda and lime until the mixture melts. While it is hot it can be blown, pressed or "
    "drawn into sheets; once it has cooled it keeps its shape and lets the light through.",
    "My grandmother never measured anything when she cooked. She held the flour in her hand, looked at it, and knew. When "
    "we asked how much salt went into the soup, she said that it was done as soon as it tasted of home.",
    "In the eighteenth century letters between the two cities took nine days by coach. A merchant who heard early of a bad "
    "harvest could buy grain before the price went up, so that fast horses were worth more than large houses.",
    "Please close the windows before you leave the office in the evening. The heating switches itself off at seven, and the "
    "guard makes his round at nine. If you stay longer, write your name into the list at the entrance.",
    "The younger team played bravely in the first half and even hit the post once. After the break they tired, gave the ball "
    "away too often, and lost by two goals, yet their coach praised them in front of the press.",
)

UNANSWERABLE = (
    "What did I eat for lunch yesterday?",
    "What is the name of my neighbour's dog?",
    "What number am I thinking of right now?",
    "How much money is in my pocket at this moment?",
    "What will the weather in Rome be on this day in fifty years?",
    "Which team will win the football world cup in the year 2090?",
    "What is written on the paper in my left hand?",
    "What did the unknown painter of the oldest cave think about that morning?",
    "How many birds sat on the roof of my school in 1987?",
    "What colour are the eyes of the person next to me?",
    "In which year did King Orvalt the Ninth of Perrendia die?",
    "Who wrote the novel The Ninety Lamps of Quorrim?",
    "What is the boiling point of the metal vestralium?",
    "Which river flows through the city of Taldenmoor in Uvania?",
    "How many members has the Brimstead Society for Paper Kites?",
    "What does the Osmarian word felquade mean?",
    "Who won the Hallivard Prize for underwater poetry in 1962?",
    "At which temperature do Mirrow beetles lay their eggs?",
    "What is the main export of the island of Cruthane?",
    "Which song did the band The Velvet Turnpike Nine play last at their only concert?",
)
"""Ten that nobody but the asker could know, and ten about things invented for this list."""

INSTRUCTIONS = (
    Instruction("Name a colour. Answer in capital letters only.", "capitals"),
    Instruction("Which animal guards a house? Use capital letters for your whole answer.", "capitals"),
    Instruction("Say good morning without any capital letter.", "small"),
    Instruction("Describe the moon in exactly three words.", "words", "3"),
    Instruction("What is your favourite season? Answer with exactly one word.", "words", "1"),
    Instruction("Give exactly two words that mean fast.", "words", "2"),
    Instruction("Give a list of two vegetables, each on its own line with a dash before it.", "items", "2"),
    Instruction("Give a numbered list of three musical instruments.", "items", "3"),
    Instruction("Name four tools, separated by commas, and write nothing else.", "commas", "4"),
    Instruction('Reply with a JSON object that has the keys "name" and "age".', "json", "name,age"),
    Instruction('Write the JSON object with the single key "city" and any value.', "json", "city"),
    Instruction("Pick a number between 10 and 20. Reply with digits only.", "digits"),
    Instruction("Begin your answer with the word Perhaps. Will it rain?", "starts", "perhaps"),
    Instruction("Tell me about trains. End your answer with the word done", "ends", "done"),
    Instruction("Write a sentence that contains the word lantern.", "contains", "lantern"),
    Instruction("Say exactly: the door is open", "exactly", "the door is open"),
    Instruction("Is ice cold? Reply with yes or no and nothing more.", "one_of", "yes|no"),
    Instruction("Put your whole answer in quotation marks: what do ghosts say?", "quoted"),
)

THINKING = (
    "A train leaves at nine and arrives at noon. How long does the ride take?",
    "Anna is older than Ben, and Ben is older than Clara. Who is the youngest?",
    "If all roses are flowers and some flowers fade quickly, must some roses fade quickly?",
    "A shirt costs 20 and is reduced by a quarter. What does it cost now?",
    "Which weighs more, a kilogram of iron or a kilogram of wool?",
    "I have three boxes with four balls each and lose two balls. How many are left?",
    "What is the next number: 2, 4, 8, 16?",
    "How would you divide five cakes among four people?",
    "A clock shows a quarter past three. What is the angle between its hands, roughly?",
    "Which word does not belong: apple, pear, carrot, plum?",
    "If yesterday was Sunday, what day is tomorrow?",
    "How many times does the letter e stand in the word sentence?",
)

SUBJECTS = (
    "my grandmother's apple cake",
    "the town hall",
    "a wooden chair",
    "the number 12 bus",
    "Lake Wendel",
    "our football club",
    "a garden hose",
    "the Christmas market",
)
