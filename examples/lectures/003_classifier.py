"""Lecture 003: a network 2-10-1 with ReLU and sigmoid, binary cross-entropy, SGD."""

import baregrad as torch
import baregrad.nn as nn
import baregrad.optim as optim

# input data X and y to be defined ...
torch.manual_seed(0)
X = torch.rand((200, 2))
y = (X[:, 0] + X[:, 1] > 1).float()


# Define the neural network architecture
class SimpleClassifier(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(SimpleClassifier, self).__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_size, output_size)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        x = self.fc1(x)
        x = self.relu(x)
        x = self.fc2(x)
        x = self.sigmoid(x)
        return x


# Instantiate the model, loss function, and optimizer
input_size = 2  # Number of features in the input data
hidden_size = 10  # Number of neurons in the hidden layer
output_size = 1  # Number of output neurons (binary classification)

model = SimpleClassifier(input_size, hidden_size, output_size)
criterion = nn.BCELoss()  # Binary Cross Entropy Loss
optimizer = optim.SGD(model.parameters(), lr=0.01)  # Stochastic Gradient Descent

# Training loop
epochs = 1000
for epoch in range(epochs):
    # Forward pass
    y_pred = model(X)

    # Compute the loss
    loss = criterion(y_pred.squeeze(), y)

    # Backward pass and optimization
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    # Print the loss every 100 epochs
    if (epoch + 1) % 100 == 0:
        print(f"Epoch [{epoch + 1}/{epochs}], Loss: {loss.item():.4f}")

# Testing the trained model with new data
new_data = torch.rand((5, 2))  # 5 new samples
predictions = model(new_data)
print("Predictions:", predictions.squeeze().detach().numpy())
