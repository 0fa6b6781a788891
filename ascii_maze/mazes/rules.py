"""The text of the rules, in English and Portuguese, which `prompts.py` assembles. Only data."""

from types import MappingProxyType

LANGUAGES = ("en", "pt")

MAP = MappingProxyType(
    {
        "en": "You walk through an ASCII maze. '{wall}' is wall, {open} is open ground, S is where you stand, "
        "G is the goal. ",
        "pt": "Você anda por um labirinto ASCII. '{wall}' é parede, {open} é chão livre, S é onde você está, "
        "G é o objetivo. ",
    }
)
BLANK = MappingProxyType({"en": "a blank", "pt": "um espaço"})
# Sentences about what some styles write in addition to the map.
BESIDE = MappingProxyType(
    {
        "spaced": {
            "en": "The blanks between two characters count for nothing. ",
            "pt": "Os espaços entre dois caracteres não contam. ",
        },
        "indexed": {
            "en": "Rows and columns are numbered at the edge. ",
            "pt": "Linhas e colunas são numeradas na borda. ",
        },
    }
)
_ENDS = MappingProxyType(
    {"en": " S is where you stand, G is the goal. ", "pt": " S é onde você está, G é o objetivo. "}
)
_LISTED = MappingProxyType(
    {
        "en": "You walk through a maze of cells, each given as (row,column). After the size, S and G every line "
        "connects two cells, {order}; elsewhere is wall." + _ENDS["en"],
        "pt": "Você anda por um labirinto de células, cada uma dada como (linha,coluna). Depois do tamanho, de S e de "
        "G, cada linha de texto liga duas células, {order}; no resto há parede." + _ENDS["pt"],
    }
)
# The styles of cells.
CELLS = MappingProxyType(
    {
        "cells": {
            "en": "You walk through a maze of cells. Each word is a cell and names its open sides: U above, D below, "
            "L to the left, R to the right; '-' has none, '#' is solid. S marks the cell where you stand, "
            "G the goal. ",
            "pt": "Você anda por um labirinto de células. Cada palavra é uma célula e diz os lados abertos: U acima, "
            "D abaixo, L à esquerda, R à direita; '-' não tem nenhum, '#' é maciça. S marca a célula onde você está, "
            "G o objetivo. ",
        },
        "adjacency": {
            "en": _LISTED["en"].format(order="in the order of rows and columns"),
            "pt": _LISTED["pt"].format(order="na ordem de linhas e colunas"),
        },
        "adjacency_shuffled": {
            "en": _LISTED["en"].format(order="in any order"),
            "pt": _LISTED["pt"].format(order="em qualquer ordem"),
        },
        "boxes": {
            "en": "You walk through a maze of cells. '--' and '|' are walls, '+' is where they meet, '##' is solid."
            + _ENDS["en"],
            "pt": "Você anda por um labirinto de células. '--' e '|' são paredes, '+' é onde elas se encontram, '##' "
            "é maciço." + _ENDS["pt"],
        },
        "lines": {
            "en": "You walk through a maze of cells. The lines are walls, '██' is solid." + _ENDS["en"],
            "pt": "Você anda por um labirinto de células. As linhas são paredes, '██' é maciço." + _ENDS["pt"],
        },
    }
)
# The effect of one move, and the origin of positions: on a map, and between cells.
ON_MAPS = MappingProxyType(
    {
        "en": ("One move goes one character", "counted from (0,0) in the upper left corner"),
        "pt": ("Um movimento anda um caractere", "contadas a partir de (0,0) no canto superior esquerdo"),
    }
)
BETWEEN_CELLS = MappingProxyType(
    {
        "en": (
            "Two moves lead from a cell to the next one; one goes half that way",
            "where the upper left cell is (1,1) and the one to its right (1,3)",
        ),
        "pt": (
            "Dois movimentos levam de uma célula à próxima; um anda metade desse caminho",
            "em que a célula superior esquerda é (1,1) e a que está à sua direita (1,3)",
        ),
    }
)
# By style of answer.
TASKS = MappingProxyType(
    {
        "letters": {
            "en": "{move}: U up, D down, L left, R right. Answer with the shortest sequence of moves from S to G, "
            "letters separated by blanks{only}. Example: R R D D",
            "pt": "{move}: U para cima, D para baixo, L para a esquerda, R para a direita. Responda com a sequência "
            "de movimentos mais curta de S a G, letras separadas por espaços{only}. Exemplo: R R D D",
        },
        "words": {
            "en": "{move}: up, down, left or right. Answer with the shortest sequence of moves from S to G, words "
            "separated by blanks{only}. Example: right right down down",
            "pt": "{move}: cima, baixo, esquerda ou direita. Responda com a sequência de movimentos mais curta de S a "
            "G, palavras separadas por espaços{only}. Exemplo: direita direita baixo baixo",
        },
        "arrows": {
            "en": "{move}: ↑ up, ↓ down, ← left, → right. Answer with the shortest sequence of moves from S to G, "
            "arrows separated by blanks{only}. Example: → → ↓ ↓",
            "pt": "{move}: ↑ para cima, ↓ para baixo, ← para a esquerda, → para a direita. Responda com a sequência "
            "de movimentos mais curta de S a G, setas separadas por espaços{only}. Exemplo: → → ↓ ↓",
        },
        "coordinates": {
            "en": "{move} up, down, left or right. Answer with the positions of the shortest way from S to G, both "
            "included, as (row,column) {counted}, separated by blanks{only}. Example: (1,1) (1,2) (1,3) (2,3)",
            "pt": "{move} para cima, para baixo, para a esquerda ou para a direita. Responda com as posições do "
            "caminho mais curto de S a G, ambas incluídas, como (linha,coluna) {counted}, separadas por "
            "espaços{only}. Exemplo: (1,1) (1,2) (1,3) (2,3)",
        },
    }
)
ONLY = MappingProxyType({"en": ", and nothing else", "pt": ", e nada mais"})
# Used instead of `ONLY` if a thought comes first; `{how}` is one of `THOUGHTS`.
THINK_FIRST = MappingProxyType(
    {
        "en": ". First think, inside <think> and </think>: {how}. A place is row,column, {places}. Then write the "
        "answer inside <answer> and </answer>, and nothing else",
        "pt": ". Primeiro pense, dentro de <think> e </think>: {how}. Um lugar é linha,coluna, {places}. Depois "
        "escreva a resposta dentro de <answer> e </answer>, e nada mais",
    }
)
THOUGHTS = MappingProxyType(
    {
        "steps": {
            "en": "a line for each move, with the place, its open sides and the move",
            "pt": "uma linha para cada movimento, com o lugar, os lados abertos e o movimento",
        },
        "search_dfs": {
            "en": "a search, depth first, a line for each stretch, with its first place, the moves, its last place "
            "and the open sides there, G for the goal or * where you have been before",
            "pt": "uma busca em profundidade, uma linha para cada trecho, com o primeiro lugar, os movimentos, "
            "o último lugar e os lados abertos ali, G para o objetivo ou * onde você já esteve",
        },
        "search_bfs": {
            "en": "a search, breadth first, a line for each number of moves, with the move to every new place and "
            "the place",
            "pt": "uma busca em largura, uma linha para cada número de movimentos, com o movimento para cada lugar "
            "novo e o lugar",
        },
        "corrupt": {
            "en": "a search, depth first, of this maze or of another, a line for each stretch",
            "pt": "uma busca em profundidade, deste labirinto ou de outro, uma linha para cada trecho",
        },
    }
)
