"""Embeddings, recurrent layers, attention."""

from tests.models.zoo.parts import IMAGE, SERIES, VOCABULARY, VOLUME, WORDS, chain


def embedding(k):
    n = k.layers
    return chain(
        k,
        WORDS,
        n.Embedding(VOCABULARY, 8),
        n.Conv1D(4, 3, activation="relu"),
        n.GlobalMaxPooling1D(),
        n.Dense(2),
        dtype="int32",
    )


def lstm(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.LSTM(6, return_sequences=True),
        n.Bidirectional(n.LSTM(4)),
        n.Dense(2, activation="softmax"),
    )


def gru(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.GRU(5, return_sequences=True),
        n.GRU(4, reset_after=False, recurrent_activation="hard_sigmoid", return_sequences=True),
        n.Bidirectional(n.GRU(3), merge_mode="sum"),
        n.Dense(2),
    )


def simple_rnn(k):
    n = k.layers
    cells = [n.LSTMCell(4), n.GRUCell(3), n.SimpleRNNCell(3)]
    return chain(k, SERIES, n.SimpleRNN(5, return_sequences=True), n.RNN(cells), n.Dense(2))


def encoder_decoder(k):
    n = k.layers
    read, given = k.Input(SERIES, name="read"), k.Input((5, 3), name="given")
    _, *states = n.LSTM(4, return_state=True)(read)
    return k.Model([read, given], n.Dense(2)(n.LSTM(4)(given, initial_state=states)))


def masked_words(k):
    n = k.layers
    words = n.Embedding(VOCABULARY, 6, mask_zero=True)
    return chain(k, WORDS, words, n.Bidirectional(n.LSTM(3)), n.Dense(2), dtype="int32")


def masked_series(k):
    n = k.layers
    return chain(
        k,
        SERIES,
        n.Masking(0.0),
        n.LSTM(4, return_sequences=True),
        n.GRU(3, recurrent_activation="hard_sigmoid"),
        n.Dense(2),
    )


def attention(k):
    n = k.layers
    inputs = k.Input(SERIES, name="x")
    x = n.Dense(8)(inputs)
    x = n.LayerNormalization()(n.Add()([x, n.MultiHeadAttention(2, 4)(x, x)]))
    x = n.Attention()([x, x])
    x = n.AdditiveAttention()([x, x])
    return k.Model(inputs, n.Dense(2)(n.GlobalAveragePooling1D()(x)))


def cross_attention(k):
    n = k.layers
    inputs = k.Input(SERIES, name="x")
    x = n.MultiHeadAttention(2, 3, value_dim=5)(inputs, n.Conv1D(6, 3)(inputs))
    x = n.MultiHeadAttention(1, 4)(x, x, use_causal_mask=True)
    return k.Model(inputs, n.Dense(2)(n.Flatten()(x)))


def time_distributed(k):
    n = k.layers
    inputs = k.Input((4, *IMAGE), name="x")
    x = n.TimeDistributed(n.Conv2D(3, 3, activation="relu"))(inputs)
    x = n.TimeDistributed(n.Flatten())(x)
    x = n.GlobalMaxPooling1D()(n.TimeDistributed(n.Dense(5, activation="relu"))(x))
    return k.Model(inputs, n.Dense(2)(x))


def time_distributed_model(k):
    n = k.layers
    inner = k.Sequential([k.Input(IMAGE), n.Conv2D(3, 3), n.BatchNormalization(), n.Flatten()])
    inputs = k.Input((4, *IMAGE), name="x")
    return k.Model(inputs, n.Dense(2)(n.Flatten()(n.TimeDistributed(inner)(inputs))))


def conv_lstm(k):
    n = k.layers
    return chain(k, (3, *IMAGE), n.ConvLSTM2D(2, 3), n.Flatten(), n.Dense(2))


def conv_lstm_1d(k):
    n = k.layers
    return chain(k, (3, *SERIES), n.ConvLSTM1D(2, 3), n.Flatten(), n.Dense(2))


def conv_lstm_3d(k):
    n = k.layers
    return chain(k, (3, *VOLUME), n.ConvLSTM3D(2, 3), n.Flatten(), n.Dense(2))
