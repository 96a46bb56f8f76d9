"""Lecture 004, "Hello world" of deep learning: 784-500-500-10 in Keras 1's words."""

import baregrad as bg
from baregrad.keras import SGD, Activation, Dense, Sequential, to_categorical

bg.manual_seed(0)
mnist = bg.data.mnist()
x_train, y_train = (t.numpy() for t in mnist.train.tensors)
x_test, y_test = (t.numpy() for t in mnist.test.tensors)
x_train, x_test = x_train.reshape(-1, 28 * 28), x_test.reshape(-1, 28 * 28)
y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

model = Sequential()
model.add(Dense(input_dim=28 * 28, output_dim=500))
model.add(Activation("sigmoid"))
model.add(Dense(output_dim=500))
model.add(Activation("sigmoid"))
model.add(Dense(output_dim=10))
model.add(Activation("softmax"))

model.compile(loss="categorical_crossentropy", optimizer=SGD(lr=0.1), metrics=["accuracy"])

model.fit(x_train, y_train, batch_size=100, nb_epoch=20)

score = model.evaluate(x_test, y_test)
print("Total loss on Testing Set:", score[0])
print("Accuracy of Testing Set:", score[1])

result = model.predict(x_test)
