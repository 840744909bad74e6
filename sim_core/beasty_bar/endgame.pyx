"""Solves the endgame exactly, win, draw or loss, once no card is hidden any more.

Alpha-beta (Knuth and Moore 1975) with null windows on what the mover still gains: the growth of the lead from here to
the end, in units of the scoring. It does not depend on the lead so far, so that a transposition table serves positions
reached with different bars alike. That table lives on the stack of one call and compares whole keys: the value is
exact, the same in every thread and on every call. Turns are looked up in a table that the rules fill at import.
"""
from libc.stdint cimport int8_t, int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from sim_core.beasty_bar.line cimport Line, append, arrange, list_actions, species_in
from sim_core.beasty_bar.rules cimport (
    ACTION_PARTS, BeastyState, MASK_COUNT, MAX_LEGAL, MAX_LINE, NUM_PLIES, NUM_SPECIES, SCORING_ANIMALS, is_terminal,
    legal_actions, outcome, owner_of, species_of,
)
from sim_core.beasty_bar.rules import SPECIES

cdef enum:
    TABLE_BITS = 8
    TABLE_TURNS = 3     # with fewer turns left, searching is cheaper than looking up
    MOST_CHECKS = 3     # most five-animal checks in an endgame: 4 animals in line and 8 to come
    FAR = 20000         # beyond any gain
    NOBODY = 15         # a place that is empty, as a card
    NO_SOURCE = 7       # in place of where an animal came from: the place is empty


cdef struct Entry:
    uint64_t key        # 0: empty; a position with turns left has a card in a hand
    int16_t lower       # bounds of the mover's gain
    int16_t upper


cdef struct Node:
    uint32_t line       # four cards of a byte each, from the gate; NOBODY behind the last
    uint32_t members    # the line as a set; bit NOBODY means nothing
    uint32_t hands      # both, as a set
    int8_t size
    int8_t turns        # left to the end
    int8_t mover


cdef struct Children:
    Node nodes[15]      # MAX_LEGAL
    int gains[15]       # the mover's by the action, as far as `nodes`
    int order[15]       # the children by that gain, the best first
    int count


cdef struct Search:
    const int16_t (*most)[4096]     # of the scoring
    int lead                        # of the root's mover, at the root
    Entry table[1 << 8]             # TABLE_BITS


# [scoring][checks][set of species]: the most that animals of the set can add to the lead in this many checks. Ties of
# the animals scoring go to the lower strength: an animal counts 128 less its strength, and all strengths add up to 78.
cdef int16_t MOST[2][4][4096]
# [four species of 4 bits, from the gate][action]: where the animals at the five places after phase 3 stood before,
# 3 bits each; the animal played is 4, NO_SOURCE none.
cdef uint16_t TURNS[65536][33]


def _fill_most():
    cdef int scoring, checks, mask
    for scoring in range(2):
        worth = [128 - (12 - k) if scoring == SCORING_ANIMALS else points for k, (_, _, points) in enumerate(SPECIES)]
        for mask in range(4096):
            values = sorted([worth[k] for k in range(12) if mask >> k & 1], reverse=True)
            for checks in range(MOST_CHECKS + 1):
                MOST[scoring][checks][mask] = sum(values[:2 * checks])


cdef int turn_of(const Line *before, int action) noexcept nogil:
    """Returns the entry of TURNS for a line, found by the rules."""
    cdef Line after = before[0]
    cdef int card = ACTION_PARTS[action].card, k, place, source, found = 0
    # the player is one who has none of its species in line, so that all cards differ
    if before.members >> card & 1:
        card |= 16
    arrange(&after, card, ACTION_PARTS[action].acts_as, ACTION_PARTS[action].choice)
    for k in range(5):
        source = NO_SOURCE
        if k < after.size:
            source = 4
            for place in range(before.size):
                if <int>(before.cards >> 8 * place & 31) == <int>(after.cards >> 8 * k & 31):
                    source = place
        found |= source << 3 * k
    return found


cdef void fill_turns(Line line, int index) noexcept nogil:
    """Fills the rows of TURNS for the line, and for every line that begins with it."""
    cdef int16_t actions[MAX_LEGAL]
    cdef int count, k, species, card
    cdef Line longer
    for species in range(NUM_SPECIES):
        # with both animals of a species in line nobody has one to play
        if line.members >> species & line.members >> (species + 16) & 1:
            continue
        count = list_actions(1 << species, line.size, species_in(line.members), actions)
        for k in range(count):
            TURNS[index][actions[k]] = <uint16_t>turn_of(&line, actions[k])
    if line.size == MAX_LINE:
        return
    for species in range(NUM_SPECIES):
        card = species | (line.members >> species & 1) << 4
        if line.members >> card & 1:
            continue
        longer = line
        append(&longer, card)
        fill_turns(longer, index ^ (NOBODY ^ species) << 4 * line.size)


cdef void start_turns() noexcept nogil:
    cdef Line line
    line.cards = line.members = line.size = 0
    fill_turns(line, 0xFFFF)


_fill_most()
start_turns()


cdef bint is_solvable(const BeastyState *s) noexcept nogil:
    """Returns whether both decks are empty. Then each player knows the opponent's hand."""
    return s.deck_size[0] == 0 and s.deck_size[1] == 0


cdef inline int checks_left(const Node *node) noexcept nogil:
    """Returns the most five-animal checks that are left: each takes three animals of five off the line."""
    # (size + turns - 2) // 3, at least 0, for 1 to 12 animals: a division would cost more than all the rest
    return (node.size + node.turns + 1) * 11 // 32 - 1


cdef inline int most_gain(const Search *search, const Node *node, int checks, int player) noexcept nogil:
    return search.most[checks][((node.hands | node.members) >> 16 * player) & 0xFFF]


cdef inline uint64_t key_of(const Node *node) noexcept nogil:
    """Returns all that the gain depends on within one search. The cards left tell the mover and the turns."""
    return <uint64_t>node.line << 32 | (node.hands & 0xFFF) | (node.hands >> 16) << 12


cdef inline Entry *entry_of(Search *search, uint64_t key) noexcept nogil:
    return &search.table[(key * <uint64_t>0x9E3779B97F4A7C15) >> (64 - TABLE_BITS)]


cdef inline int line_index(uint32_t line) noexcept nogil:
    """Returns the line's species, 4 bits each."""
    line &= 0x0F0F0F0F
    line = (line | line >> 4) & 0x00FF00FF
    return (line | line >> 8) & 0xFFFF


cdef inline uint32_t moved(uint64_t cards, int sources, int place) noexcept nogil:
    return <uint32_t>(cards >> 8 * (sources >> 3 * place & 7)) & 31


cdef inline int make_child(const Search *search, const Node *node, const uint16_t *turns, int action,
                           Node *child) noexcept nogil:
    """Fills the position after an action. Returns what the mover gained by it."""
    cdef int sources = turns[action], mover = node.mover
    cdef uint32_t played = ACTION_PARTS[action].card | mover << 4, entered, a, b, c, d
    cdef uint64_t cards = node.line | <uint64_t>played << 32 | <uint64_t>NOBODY << 56
    a = moved(cards, sources, 0)
    b = moved(cards, sources, 1)
    c = moved(cards, sources, 2)
    d = moved(cards, sources, 3)
    child.hands = node.hands ^ <uint32_t>1 << played
    child.turns = node.turns - 1
    child.mover = <int8_t>(1 - mover)
    if sources >> 12 & 7 == NO_SOURCE:
        child.line = a | b << 8 | c << 16 | d << 24
        child.members = <uint32_t>1 << a | <uint32_t>1 << b | <uint32_t>1 << c | <uint32_t>1 << d
        child.size = <int8_t>((a != NOBODY) + (b != NOBODY) + (c != NOBODY) + (d != NOBODY))
        return 0
    child.line = c | d << 8 | <uint32_t>NOBODY << 16 | <uint32_t>NOBODY << 24
    child.members = <uint32_t>1 << c | <uint32_t>1 << d
    child.size = 2
    entered = <uint32_t>1 << a | <uint32_t>1 << b
    return <int>search.most[1][entered >> 16 * mover & 0xFFF] - search.most[1][entered >> 16 * (1 - mover) & 0xFFF]


cdef int expand(const Search *search, const Node *node, int need, Children *children) noexcept nogil:
    """Fills the children that may gain `need`. Returns the best bound of the others, or the first that reaches it."""
    cdef int16_t actions[MAX_LEGAL]
    cdef const uint16_t *turns = TURNS[line_index(node.line)]
    cdef int count = list_actions(
        node.hands >> 16 * node.mover & 0xFFF, node.size, species_in(node.members), actions
    )
    cdef int top = -FAR, k, j, gain, value, checks
    cdef Node *child
    children.count = 0
    for k in range(count):
        child = &children.nodes[children.count]
        gain = value = make_child(search, node, turns, actions[k], child)
        if child.turns:
            checks = checks_left(child)
            value = gain - most_gain(search, child, checks, child.mover)
            if value < need:
                value = gain + most_gain(search, child, checks, node.mover)
                if value >= need:
                    children.gains[children.count] = gain
                    j = children.count
                    while j > 0 and children.gains[children.order[j - 1]] < gain:
                        children.order[j] = children.order[j - 1]
                        j -= 1
                    children.order[j] = children.count
                    children.count += 1
                    continue
        if value > top:
            top = value
            if top >= need:
                break
    return top


cdef int best_gain(Search *search, const Node *node, int need) noexcept nogil:
    """Decides whether the mover can gain `need`.

    Returns:
        A lower bound of the gain that is at least `need`, or an upper bound below it.
    """
    cdef int checks = checks_left(node), top, value, k, j
    cdef uint64_t key = 0
    cdef Entry *entry = NULL
    cdef Children children
    value = most_gain(search, node, checks, node.mover)
    if value < need:
        return value
    value = -most_gain(search, node, checks, 1 - node.mover)
    if value >= need:
        return value
    if node.turns >= TABLE_TURNS:
        key = key_of(node)
        entry = entry_of(search, key)
        if entry.key == key:
            if entry.lower >= need:
                return entry.lower
            if entry.upper < need:
                return entry.upper
    top = expand(search, node, need, &children)
    if top < need:
        for k in range(children.count):
            j = children.order[k]
            value = children.gains[j] - best_gain(search, &children.nodes[j], children.gains[j] - need + 1)
            if value > top:
                top = value
                if top >= need:
                    break
    if entry != NULL:
        if entry.key != key:
            entry.key = key
            entry.lower = -FAR
            entry.upper = FAR
        if top >= need:
            entry.lower = <int16_t>top
        else:
            entry.upper = <int16_t>top
    return top


cdef inline int turns_left(const BeastyState *s) noexcept nogil:
    """Returns the turns left to the last ply, or until the player to move has no card."""
    cdef int own = MASK_COUNT[s.hand[s.to_move]], other = MASK_COUNT[s.hand[1 - s.to_move]]
    return min(NUM_PLIES - s.ply, 2 * own if own <= other else 2 * other + 1)


cdef inline int worth_of(const Search *search, int cards) noexcept nogil:
    """Returns the worth of a set of any size."""
    cdef int total = 0
    while cards:
        total += search.most[1][cards & -cards]
        cards &= cards - 1
    return total


cdef void start(Search *search, Node *node, const BeastyState *s) noexcept nogil:
    """Returns an empty search from a position that is not terminal."""
    cdef int place, card
    search.most = MOST[s.scoring]
    search.lead = worth_of(search, s.bar[s.to_move]) - worth_of(search, s.bar[1 - s.to_move])
    memset(search.table, 0, sizeof(search.table))
    node.line = node.members = 0
    for place in range(MAX_LINE):
        card = species_of(s.line[place]) | owner_of(s.line[place]) << 4 if place < s.line_size else NOBODY
        node.line |= <uint32_t>card << 8 * place
        node.members |= <uint32_t>1 << card
    node.hands = s.hand[0] | <uint32_t>s.hand[1] << 16
    node.size = <int8_t>s.line_size
    node.turns = <int8_t>turns_left(s)
    node.mover = <int8_t>s.to_move


cdef int value_of(Search *search, const Node *node, int alpha, int beta) noexcept nogil:
    """Returns the root's value within (alpha, beta): asks whether it can be won, then drawn, or the other way round."""
    cdef int to_draw = -search.lead, to_win = 1 - search.lead, gain
    if beta > 0 and (search.lead >= 0 or alpha >= 0):
        gain = best_gain(search, node, to_win)
        if gain >= to_win:
            return 1
        if gain < to_draw:
            return -1
        if alpha >= 0:
            return 0
        return 0 if best_gain(search, node, to_draw) >= to_draw else -1
    gain = best_gain(search, node, to_draw)
    if gain < to_draw:
        return -1
    if gain >= to_win:
        return 1
    return 1 if beta > 0 and best_gain(search, node, to_win) >= to_win else 0


cdef inline bint keeps(Search *search, const Node *node, int action, int value) noexcept nogil:
    """Returns whether the action leads to the value or a better one."""
    cdef int need = value - search.lead, gain     # to_draw or to_win
    cdef Node child
    if value < 0:
        return True
    gain = make_child(search, node, TURNS[line_index(node.line)], action, &child)
    if child.turns == 0:
        return gain >= need
    return gain - best_gain(search, &child, gain - need + 1) >= need


cdef int solve(const BeastyState *s, int alpha, int beta, int16_t *best) noexcept nogil:
    """Returns the value for the player to move within (alpha, beta), fail-soft. `best` gets a best action."""
    cdef Search search
    cdef Node node
    cdef int16_t actions[MAX_LEGAL]
    cdef int value, k, count
    if is_terminal(s):
        return outcome(s, s.to_move, s.scoring)
    start(&search, &node, s)
    value = value_of(&search, &node, alpha, beta)
    if best != NULL:
        count = legal_actions(s, actions)
        best[0] = actions[0]
        for k in range(count):
            if keeps(&search, &node, actions[k], value):
                best[0] = actions[k]
                break
    return value


cdef int solve_actions(const BeastyState *s, const int16_t *actions, int count, uint8_t *optimal) noexcept nogil:
    """Returns the value for the player to move. Fills, for each legal action, whether it keeps that value."""
    cdef Search search
    cdef Node node
    cdef int value, k
    if is_terminal(s):
        return outcome(s, s.to_move, s.scoring)
    start(&search, &node, s)
    value = value_of(&search, &node, -1, 1)
    for k in range(count):
        optimal[k] = keeps(&search, &node, actions[k], value)
    return value
